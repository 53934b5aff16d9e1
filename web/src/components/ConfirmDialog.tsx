import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useId, useState, type ReactNode } from 'react';
import { errorMessage } from '@/api/problem';
import { Notice } from './Notice';

interface ConfirmDialogProps {
  opened: boolean;
  onClose: () => void;
  title: string;
  confirmLabel: string;
  /** Plain words: what happens, to whom, and when. */
  children: ReactNode;
  onConfirm: () => void;
  danger?: boolean;
  pending?: boolean;
  error?: unknown;
  /** Has to be typed before the button works; for what cannot be undone. */
  typed?: { value: string; what: string };
  disabled?: boolean;
  cancelLabel?: string;
}

export function ConfirmDialog(props: ConfirmDialogProps) {
  // While it waits, another dialog may be asking who it is: closing that one must not close this one.
  const idle = props.pending !== true;
  return (
    <Modal.Root opened={props.opened} onClose={props.onClose} centered size={480} closeOnEscape={idle} closeOnClickOutside={idle}>
      <Modal.Overlay backgroundOpacity={0.45} />
      <Modal.Content radius="md">
        {/* A page has one banner, and it is not this. */}
        <Modal.Header role="presentation">
          <Modal.Title fw={600}>{props.title}</Modal.Title>
          <Modal.CloseButton aria-label="Close dialog" />
        </Modal.Header>
        <Modal.Body>
          {/* Inside the Modal, so that what was typed is forgotten when it closes. */}
          <DialogBody {...props} />
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

function DialogBody({
  onClose, confirmLabel, children, onConfirm, danger = false, pending = false, error, typed, disabled = false, cancelLabel = 'Cancel',
}: ConfirmDialogProps) {
  const [text, setText] = useState('');
  const id = useId();
  const ready = !disabled && (typed === undefined || text.trim() === typed.value);

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        event.stopPropagation();
        if (ready && !pending) onConfirm();
      }}
    >
      <Stack gap="md">
        <div style={{ fontSize: 'var(--mantine-font-size-sm)' }}>{children}</div>
        {typed !== undefined && (
          <TextInput
            id={id}
            label={
              <>
                Type <span className="mono">{typed.value}</span> to confirm
              </>
            }
            aria-label={`Type ${typed.value} to confirm`}
            description={`The ${typed.what}, so that the wrong one is not chosen by accident.`}
            value={text}
            onChange={(event) => {
              setText(event.currentTarget.value);
            }}
            autoComplete="off"
            spellCheck={false}
            data-autofocus
          />
        )}
        {error !== undefined && error !== null && <Notice tone="bad">{errorMessage(error)}</Notice>}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            {cancelLabel}
          </Button>
          <Button type="submit" color={danger ? '#b42318' : undefined} disabled={!ready} loading={pending}>
            {confirmLabel}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
