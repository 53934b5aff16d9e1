import { Button, Group, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useRenameServer } from '@/api/servers';
import type { Server } from '@/api/types';
import { Notice } from '@/components/Notice';
import { applyProblem, keepShownError } from '@/lib/formErrors';
import { notifyDone } from '@/lib/notify';
import { serverNameProblem } from '@/lib/rules';

export function ServerNameForm({ server }: { server: Server }) {
  const rename = useRenameServer(server.id);
  const [failure, setFailure] = useState<string | null>(null);
  const form = useForm({
    initialValues: { name: server.name },
    validateInputOnBlur: true,
    enhanceGetInputProps: keepShownError,
    validate: { name: (value) => serverNameProblem(value, true) },
  });
  const changed = form.values.name.trim() !== server.name;

  return (
    <form
      noValidate
      onSubmit={form.onSubmit(async ({ name }) => {
        setFailure(null);
        try {
          const saved = await rename.mutateAsync(name.trim());
          form.setValues({ name: saved.name });
          notifyDone('The server was renamed.');
        } catch (error) {
          setFailure(applyProblem(form, error));
        }
      })}
    >
      <Group gap="xs" align="flex-end" wrap="nowrap">
        <TextInput label="Name" autoComplete="off" style={{ flex: 1 }} {...form.getInputProps('name')} />
        <Button type="submit" variant="default" size="sm" disabled={!changed} loading={rename.isPending} style={{ alignSelf: 'flex-start', marginTop: 21 }}>
          Rename
        </Button>
      </Group>
      {failure !== null && <Notice tone="bad">{failure}</Notice>}
    </form>
  );
}
