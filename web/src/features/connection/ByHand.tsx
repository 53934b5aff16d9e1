import { Text } from '@mantine/core';
import { CopyButton } from '@/components/CopyButton';
import classes from './connection.module.css';

const COMMANDS = [
  { what: 'Restart', command: 'sudo systemctl restart proxima-gateway' },
  { what: 'Uninstall', command: 'sudo proxima-gateway setup uninstall --yes' },
];

/** What a person does on a machine that this dashboard cannot log in to: surely (`cut`), or perhaps. */
export function ByHand({ cut }: { cut: boolean }) {
  return (
    <Text size="sm" component="div">
      {cut ? 'This dashboard cannot log in to the machine.' : 'If this dashboard cannot log in to the machine:'} For an update or a
      re-installation, make an install command under “Server access”. On the machine itself:
      {COMMANDS.map(({ what, command }) => (
        <div key={what} className={classes.ownCommand}>
          {what} <code className="mono">{command}</code>
          <CopyButton value={command} label={`Copy the command for ${what}`} />
        </div>
      ))}
    </Text>
  );
}
