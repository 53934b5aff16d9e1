import { Button, Divider, Group, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTestMail } from '@/api/notifications';
import { mapProblem } from '@/api/problem';
import { Notice } from '@/components/Notice';
import { useMe } from '@/features/shell/useMe';

/** Sends one message with what is stored, and says what the server answered. */
export function TestMail({ disabled }: { disabled: boolean }) {
  const me = useMe();
  const test = useTestMail();
  const [recipient, setRecipient] = useState('');
  const problem = test.isError ? mapProblem(test.error, (path) => path === 'recipient') : null;
  return (
    <Stack gap="sm">
      <Divider />
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          test.mutate(recipient.trim());
        }}
      >
        <Group gap="xs" align="flex-start" wrap="wrap">
          <TextInput
            label="Send a test message to"
            type="email"
            name={`test-recipient-of-${me.username}`}
            autoComplete="email"
            placeholder="you@example.com"
            style={{ flex: '1 1 220px', maxWidth: 360 }}
            value={recipient}
            error={problem?.fields.recipient}
            onChange={(event) => {
              setRecipient(event.currentTarget.value);
            }}
          />
          <Button type="submit" variant="default" mt={25} disabled={disabled || recipient.trim() === ''} loading={test.isPending}>
            Send test message
          </Button>
        </Group>
      </form>
      {disabled && <span className="nothing">Save the e-mail server first: the test uses what is stored.</span>}
      {problem?.general != null && <Notice tone="bad">{problem.general}</Notice>}
      {test.data !== undefined && (
        <Notice tone={test.data.accepted ? 'ok' : 'bad'} title={test.data.accepted ? 'The e-mail server accepted the message' : 'The message was not sent'}>
          {test.data.message}
          {test.data.answer !== null && (
            <div>
              The server said: <span className="mono">{test.data.answer}</span>
            </div>
          )}
        </Notice>
      )}
    </Stack>
  );
}
