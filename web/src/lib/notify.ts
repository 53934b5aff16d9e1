import { notifications } from '@mantine/notifications';
import { errorMessage } from '@/api/problem';

export function notifyDone(message: string): void {
  notifications.show({ message, color: 'accent', autoClose: 5_000, withBorder: true });
}

export function notifyFailed(title: string, error: unknown): void {
  notifications.show({ title, message: errorMessage(error), color: 'red', autoClose: 9_000, withBorder: true });
}
