import { useBlocker } from '@tanstack/react-router';
import { ConfirmDialog } from './ConfirmDialog';

/** Asks before typed but unsaved input is left behind, inside the application and on closing the tab. */
export function UnsavedGuard({ when }: { when: boolean }) {
  const blocker = useBlocker({
    shouldBlockFn: ({ current, next }) => when && current.pathname !== next.pathname,
    enableBeforeUnload: () => when,
    withResolver: true,
  });
  return (
    <ConfirmDialog
      opened={blocker.status === 'blocked'}
      onClose={() => blocker.reset?.()}
      title="Leave without saving?"
      confirmLabel="Leave page"
      cancelLabel="Stay"
      danger
      onConfirm={() => blocker.proceed?.()}
    >
      What you typed on this page has not been saved and will be lost.
    </ConfirmDialog>
  );
}
