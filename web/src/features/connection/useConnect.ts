import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useConfirmHostKey, useProbeHostKey, useSaveConnection, useTestConnection } from '@/api/connections';
import type { BoxProblem, Connection, ConnectionTest } from '@/api/types';
import { applyProblem, keepShownError } from '@/lib/formErrors';
import { addressBody, connectRules, connectValues, hasSecret, loginBody, needsSecret, NO_SECRETS, sameAddress, type ConnectValues } from './form';
import { isKeyTrusted, isLoginRefused } from './stage';

export type Doing = 'SAVING' | 'LOOKING' | 'CONFIRMING' | 'LOGGING_IN';

/**
 * From what was typed to a tested connection. Nothing secret leaves this browser before the host key is confirmed:
 * until then only the address is saved, and the rest waits in the form.
 */
export function useConnect(serverId: string, connection: Connection) {
  const save = useSaveConnection(serverId);
  const probe = useProbeHostKey(serverId);
  const confirm = useConfirmHostKey(serverId);
  const test = useTestConnection(serverId);
  const [doing, setDoing] = useState<Doing | null>(null);
  const [problem, setProblem] = useState<BoxProblem | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [result, setResult] = useState<ConnectionTest | null>(null);
  const form = useForm<ConnectValues>({
    initialValues: connectValues(connection),
    validateInputOnBlur: true,
    enhanceGetInputProps: keepShownError,
    validate: connectRules((values) => needsSecret(connection, values)),
  });

  /** Each part is a request of its own; what goes wrong in any of them ends up at its field or above the form. */
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    setProblem(null);
    setFailure(null);
    setResult(null);
    try {
      await work();
    } catch (error) {
      setFailure(applyProblem(form, error));
    } finally {
      setDoing(null);
    }
  };

  const logIn = async (values: ConnectValues): Promise<void> => {
    if (hasSecret(values) || values.sudoPassword !== '') {
      setDoing('SAVING');
      await save.mutateAsync(loginBody(values));
    }
    setDoing('LOGGING_IN');
    const answer = await test.mutateAsync();
    setResult(answer);
    // A wrong password stays in its field, to be corrected.
    if (!isLoginRefused(answer)) form.setValues(NO_SECRETS);
  };

  const look = async (): Promise<Connection> => {
    setDoing('LOOKING');
    const seen = await probe.mutateAsync();
    setProblem(seen.problem);
    return seen.connection;
  };

  return {
    form,
    doing,
    problem,
    failure,
    result,

    /** Saves the address if need be, then looks at the host key, or logs in if that is confirmed already. */
    test: (values: ConnectValues) =>
      attempt(async () => {
        let present = connection;
        if (!sameAddress(connection, values)) {
          setDoing('SAVING');
          present = await save.mutateAsync(addressBody(values));
        }
        if (present.hostKeyState !== 'CONFIRMED') {
          await look();
          return;
        }
        await logIn(values);
      }),

    lookAgain: () =>
      attempt(async () => {
        await look();
      }),

    /** Pins the key, and goes on to log in when there is something to log in with. */
    trust: (fingerprint: string) =>
      attempt(async () => {
        setDoing('CONFIRMING');
        const present = await confirm.mutateAsync(fingerprint);
        const values = form.getValues();
        if (isKeyTrusted(present) && (hasSecret(values) || present.credential !== null)) await logIn(values);
      }),

    startAgain: () => {
      form.setValues(connectValues(connection));
      form.clearErrors();
      setFailure(null);
      setProblem(null);
    },
  };
}

export type Connecting = ReturnType<typeof useConnect>;
