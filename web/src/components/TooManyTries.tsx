import { timeLeft } from '@/lib/time';
import { Notice } from './Notice';

/** Says when one may try again; nothing once that is now. */
export function TooManyTries({ left }: { left: number }) {
  if (left <= 0) return null;
  return (
    <Notice tone="warn" title="Too many attempts">
      Try again in{' '}
      <span className="numeric" role="timer">
        {timeLeft(left)}
      </span>
      . What you typed stays.
    </Notice>
  );
}
