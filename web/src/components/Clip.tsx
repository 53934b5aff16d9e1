import classes from './DataTable.module.css';

/** A name in a table: one line on a desk, in full on hover and on a phone. */
export function Clip({ text }: { text: string }) {
  return (
    <span className={classes.clip} title={text}>
      {text}
    </span>
  );
}
