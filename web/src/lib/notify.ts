import { notifications } from '@mantine/notifications';
import { errorMessage } from '@/api/problem';

const CLOSE = { 'aria-label': 'Close message' };

export function notifyDone(message: string): void {
  notifications.show({ message, color: 'accent', autoClose: 5_000, withBorder: true, closeButtonProps: CLOSE });
}

export function notifyFailed(title: string, error: unknown): void {
  notifications.show({ title, message: errorMessage(error), color: 'red', autoClose: 9_000, withBorder: true, closeButtonProps: CLOSE });
}
