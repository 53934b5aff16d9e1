import { Button, Group, Text, Textarea } from '@mantine/core';
import { useRef, useState } from 'react';
import { Icon } from '@/components/Icon';
import classes from './connection.module.css';
import type { ConnectFormApi } from './form';

/** Far more than any private key; a wrong file is refused before it is read. */
const MAX_BYTES = 64 * 1024;

/** A private key: pasted, dropped or chosen. It is read in this browser and goes nowhere before the form is sent. */
export function KeyInput({ form }: { form: ConnectFormApi }) {
  const chooser = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [file, setFile] = useState<string | null>(null);

  const read = async (chosen: File | undefined): Promise<void> => {
    if (chosen === undefined) return;
    if (chosen.size > MAX_BYTES) {
      form.setFieldError('privateKey', `${chosen.name} is too large to be a private key.`);
      return;
    }
    form.setFieldValue('privateKey', await chosen.text());
    form.validateField('privateKey');
    setFile(chosen.name);
  };

  const input = form.getInputProps('privateKey');
  return (
    <div
      className={classes.drop}
      data-over={over}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => {
        setOver(false);
      }}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void read(event.dataTransfer.files[0]);
      }}
    >
      <Textarea
        label="SSH private key"
        placeholder={'-----BEGIN OPENSSH PRIVATE KEY-----\n…'}
        rows={5}
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="none"
        classNames={{ input: 'mono' }}
        {...input}
        onChange={(event) => {
          setFile(null);
          form.setFieldValue('privateKey', event.currentTarget.value);
        }}
      />
      <Group gap="xs" mt={6}>
        <Button
          variant="default"
          leftSection={<Icon name="plus" size={14} />}
          onClick={() => {
            chooser.current?.click();
          }}
        >
          Choose file
        </Button>
        <Text size="xs" c="dimmed">
          {file === null ? 'Or drop the file here, such as ~/.ssh/id_ed25519.' : <>Read from <span className="mono">{file}</span>.</>}
        </Text>
      </Group>
      <input
        ref={chooser}
        type="file"
        hidden
        aria-label="Private key file"
        onChange={(event) => {
          void read(event.currentTarget.files?.[0]);
          event.currentTarget.value = '';
        }}
      />
    </div>
  );
}
