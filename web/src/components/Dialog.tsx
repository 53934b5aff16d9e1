import { Modal } from '@mantine/core';
import type { ReactNode } from 'react';

interface DialogProps {
  opened: boolean;
  onClose: () => void;
  title: string;
  size?: number;
  /** Closes only by its own buttons: what it shows is shown once, or something is under way. */
  firm?: boolean;
  children: ReactNode;
}

/** A dialog with content of its own; for questions with two answers there is `ConfirmDialog`. */
export function Dialog({ opened, onClose, title, size = 520, firm = false, children }: DialogProps) {
  return (
    <Modal.Root opened={opened} onClose={onClose} centered size={size} closeOnEscape={!firm} closeOnClickOutside={false}>
      <Modal.Overlay backgroundOpacity={0.45} />
      <Modal.Content radius="md">
        {/* A page has one banner, and it is not this. */}
        <Modal.Header role="presentation">
          <Modal.Title fw={600}>{title}</Modal.Title>
          {!firm && <Modal.CloseButton aria-label="Close dialog" />}
        </Modal.Header>
        <Modal.Body>{children}</Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
