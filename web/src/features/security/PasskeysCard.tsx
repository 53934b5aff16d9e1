import { Anchor, Button, Group, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useRefreshMe, useRemovePasskey, useRenamePasskey } from '@/api/access';
import { errorMessage } from '@/api/problem';
import type { Passkey, Security } from '@/api/types';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { DataTable, type Column } from '@/components/DataTable';
import { Dialog } from '@/components/Dialog';
import { Notice } from '@/components/Notice';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { EmptyState } from '@/components/States';
import { notifyDone } from '@/lib/notify';
import { passkeysAddress, passkeysUsable } from '@/lib/passkeys';

export function PasskeysCard({ security, onAdd }: { security: Security; onAdd: () => void }) {
  const [renaming, setRenaming] = useState<Passkey | null>(null);
  const [removing, setRemoving] = useState<Passkey | null>(null);
  const usable = security.passkeysAvailable && passkeysUsable(security);
  const columns: Column<Passkey>[] = [
    { id: 'name', header: 'Name', cell: (passkey) => passkey.name },
    { id: 'kind', header: 'Kept', cell: (passkey) => (passkey.synced ? 'Synced by its provider' : 'On one device') },
    { id: 'added', header: 'Added', cell: (passkey) => <RelativeTime at={passkey.createdAt} /> },
    { id: 'used', header: 'Last used', cell: (passkey) => <RelativeTime at={passkey.lastUsedAt} /> },
    {
      id: 'change',
      header: 'Change',
      align: 'end',
      cell: (passkey) => (
        <Group gap={6} justify="flex-end" wrap="nowrap">
          <Button
            variant="default"
            size="compact-xs"
            aria-label={`Rename ${passkey.name}`}
            onClick={() => {
              setRenaming(passkey);
            }}
          >
            Rename
          </Button>
          <Button
            variant="default"
            size="compact-xs"
            aria-label={`Remove ${passkey.name}`}
            onClick={() => {
              setRemoving(passkey);
            }}
          >
            Remove
          </Button>
        </Group>
      ),
    },
  ];
  const addButton = (
    <Button variant="default" onClick={onAdd}>
      Add passkey
    </Button>
  );

  return (
    <Section title="Passkeys" hint="Sign in with fingerprint, face, PIN or a security key." flush aside={usable && security.passkeys.length > 0 && addButton}>
      {!usable && (
        <div style={{ padding: 14 }}>
          <Notice tone="info" title="Passkeys cannot be used here">
            {security.passkeysReason ??
              (security.rpId === null ? (
                'This dashboard is not set up for them.'
              ) : (
                <>
                  They belong to {security.rpId}. Open the dashboard at{' '}
                  <Anchor href={passkeysAddress(security.rpId, security.publicOrigin)} size="sm" underline="always">
                    that address
                  </Anchor>
                  , in a browser that supports passkeys.
                </>
              ))}
          </Notice>
        </div>
      )}
      {(usable || security.passkeys.length > 0) && (
        <DataTable
          label="Passkeys"
          columns={columns}
          rows={security.passkeys}
          rowKey={(passkey) => passkey.id}
          empty={
            <EmptyState title="No passkeys yet" action={addButton}>
              A passkey is quicker than a password, and no fake page can steal it.
            </EmptyState>
          }
        />
      )}
      <Dialog
        opened={renaming !== null}
        onClose={() => {
          setRenaming(null);
        }}
        title="Rename passkey"
        size={420}
      >
        {renaming !== null && (
          <RenameForm
            passkey={renaming}
            onClose={() => {
              setRenaming(null);
            }}
          />
        )}
      </Dialog>
      <RemoveDialog
        passkey={removing}
        last={security.passkeys.length === 1 && security.totp === null}
        onClose={() => {
          setRemoving(null);
        }}
      />
    </Section>
  );
}

function RenameForm({ passkey, onClose }: { passkey: Passkey; onClose: () => void }) {
  const rename = useRenamePasskey();
  const [name, setName] = useState(passkey.name);
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        rename.mutate({ passkeyId: passkey.id, name: name.trim() }, { onSuccess: onClose });
      }}
    >
      <Stack gap="md">
        <TextInput
          label="Name"
          maxLength={64}
          value={name}
          error={rename.isError ? errorMessage(rename.error) : null}
          data-autofocus
          onChange={(event) => {
            setName(event.currentTarget.value);
          }}
        />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={rename.isPending} disabled={name.trim() === '' || name.trim() === passkey.name}>
            Rename
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function RemoveDialog({ passkey, last, onClose }: { passkey: Passkey | null; last: boolean; onClose: () => void }) {
  const remove = useRemovePasskey();
  const refreshMe = useRefreshMe();
  // Its words stay while the dialog fades out.
  const [shown, setShown] = useState(passkey);
  if (passkey !== null && passkey !== shown) setShown(passkey);
  const close = (): void => {
    remove.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      opened={passkey !== null}
      onClose={close}
      title="Remove passkey"
      confirmLabel="Remove"
      danger
      pending={remove.isPending}
      error={remove.error}
      onConfirm={() => {
        if (shown === null) return;
        remove.mutate(shown.id, {
          onSuccess: () => {
            notifyDone('The passkey was removed. Other devices were signed out.');
            void refreshMe();
            close();
          },
        });
      }}
    >
      <b>{shown?.name}</b> no longer signs you in, and your other devices are signed out. Delete it from the device as well: a website
      cannot do that.
      {last && ' From then on your password alone signs you in, and your recovery codes end.'}
    </ConfirmDialog>
  );
}
