import { Button, Group, Stack, Text } from '@mantine/core';
import { useEffect, useRef, useState, type SubmitEvent } from 'react';
import { beginTotp, useConfirmTotp } from '@/api/access';
import { errorMessage, isCode, mapProblem } from '@/api/problem';
import type { TotpEnrollment } from '@/api/types';
import { CodeInput } from '@/components/CodeInput';
import { CopyButton } from '@/components/CopyButton';
import { Notice } from '@/components/Notice';
import { LoadingLines } from '@/components/States';
import { TooManyTries } from '@/components/TooManyTries';
import { codeProblem } from '@/lib/rules';
import { useThrottle } from '@/lib/throttle';
import classes from './security.module.css';

interface TotpSetupProps {
  /** Recovery codes come with the first factor. */
  onDone: (codes: string[] | null) => void;
  onCancel: () => void;
  cancelLabel?: string;
}

/** In groups of four, as apps show it. */
const grouped = (secret: string): string => secret.replace(/(.{4})(?=.)/g, '$1 ');

export function TotpSetup({ onDone, onCancel, cancelLabel = 'Cancel' }: TotpSetupProps) {
  const confirm = useConfirmTotp();
  const throttle = useThrottle();
  const [enrollment, setEnrollment] = useState<TotpEnrollment | null>(null);
  const [code, setCode] = useState('');
  const [fieldError, setFieldError] = useState<string | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const begun = useRef(false);

  const begin = async (): Promise<void> => {
    setEnrollment(null);
    setFailure(null);
    try {
      setEnrollment(await beginTotp());
    } catch (error) {
      setFailure(error);
    }
  };
  useEffect(() => {
    // Once: each call makes another secret.
    if (!begun.current) void begin();
    begun.current = true;
  }, []);

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const problem = codeProblem(code);
    if (problem !== null) {
      setFieldError(problem);
      return;
    }
    setFailure(null);
    confirm.mutate(code.trim(), {
      onSuccess: ({ recoveryCodes }) => {
        onDone(recoveryCodes);
      },
      onError: (error) => {
        if (throttle.note(error)) return;
        const { fields, general } = mapProblem(error, (path) => path === 'code');
        setFieldError(fields.code ?? null);
        if (general !== null) setFailure(error);
        if (isCode(error, 'no_enrollment')) setCode('');
      },
    });
  };

  if (enrollment === null || isCode(failure, 'no_enrollment')) {
    return failure === null ? (
      <LoadingLines label="Making a secret" />
    ) : (
      <Notice
        tone="bad"
        action={
          <>
            <Button variant="default" onClick={begin}>
              Begin again
            </Button>
            <Button variant="default" onClick={onCancel}>
              {cancelLabel}
            </Button>
          </>
        }
      >
        {errorMessage(failure)}
      </Notice>
    );
  }
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <ol className={classes.steps}>
          <li>
            <Text size="sm" mb={10}>
              Scan this with your authenticator app (Aegis, Google Authenticator, 1Password, …).
            </Text>
            <div className={classes.scan}>
              <img className={classes.qr} src={`data:image/svg+xml;utf8,${encodeURIComponent(enrollment.qrSvg)}`} alt="QR code for your authenticator app" />
              <div className={classes.byHand}>
                <Text size="sm" c="dimmed" mb={4}>
                  Cannot scan it? Enter this secret in the app:
                </Text>
                <span className={classes.secret}>
                  <code className="mono" data-secret={enrollment.secret}>
                    {grouped(enrollment.secret)}
                  </code>
                  <CopyButton value={enrollment.secret} label="Copy secret" />
                </span>
              </div>
            </div>
          </li>
          <li>
            <Text size="sm" mb={8}>
              Enter the code that the app shows now.
            </Text>
            <Stack gap="sm">
              <TooManyTries left={throttle.left} />
              <CodeInput
                label="Code"
                maw={200}
                value={code}
                error={fieldError}
                autoFocus
                onChange={(event) => {
                  setCode(event.currentTarget.value);
                  setFieldError(null);
                }}
              />
            </Stack>
          </li>
        </ol>
        {failure !== null && <Notice tone="bad">{errorMessage(failure)}</Notice>}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onCancel}>
            {cancelLabel}
          </Button>
          <Button type="submit" loading={confirm.isPending} disabled={throttle.left > 0}>
            Confirm
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
