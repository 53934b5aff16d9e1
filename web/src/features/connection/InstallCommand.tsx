import { Button, Divider, Stack, Text, Title } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { installTokenQuery, useMakeInstallToken, useWithdrawInstallToken } from '@/api/installTokens';
import { refreshAfterJob } from '@/api/jobs';
import { platformQuery } from '@/api/session';
import { CopyButton } from '@/components/CopyButton';
import { Notice } from '@/components/Notice';
import { RelativeTime } from '@/components/RelativeTime';
import { useSecond } from '@/lib/clock';
import { notifyFailed } from '@/lib/notify';
import { timeLeft } from '@/lib/time';
import classes from './connection.module.css';

interface InstallCommandProps {
  serverId: string;
  /** Whether a gateway runs there already. */
  installed: boolean;
}

/** The way without SSH: a command that is run on the server itself. It is shown once, to whoever makes it. */
export function InstallCommand({ serverId, installed }: InstallCommandProps) {
  const client = useQueryClient();
  const token = useQuery(installTokenQuery(serverId));
  const refusal = useQuery(platformQuery).data?.installRefusal ?? null;
  const make = useMakeInstallToken(serverId);
  const withdraw = useWithdrawInstallToken(serverId);
  const [made, setMade] = useState<{ command: string; madeAt: string } | null>(null);
  const open = token.data?.open ?? null;
  const busy = make.isPending || withdraw.isPending;

  // It was used, withdrawn, or it expired: the server may have begun.
  const wasOpen = useRef(false);
  useEffect(() => {
    if (wasOpen.current && open === null) void refreshAfterJob(client, serverId);
    wasOpen.current = open !== null;
  }, [client, open, serverId]);

  const makeOne = (): void => {
    make.mutate(undefined, {
      onSuccess: ({ command, madeAt }) => {
        setMade({ command, madeAt });
      },
      onError: (error) => {
        notifyFailed('No command was made', error);
      },
    });
  };
  const actions = (
    <>
      <Button variant="default" loading={make.isPending} disabled={withdraw.isPending} onClick={makeOne}>
        Make another
      </Button>
      <Button
        variant="default"
        loading={withdraw.isPending}
        disabled={make.isPending}
        onClick={() => {
          withdraw.mutate(undefined, {
            onSuccess: () => {
              setMade(null);
            },
            onError: (error) => {
              notifyFailed('The command was not withdrawn', error);
            },
          });
        }}
      >
        Withdraw
      </Button>
    </>
  );

  return (
    <Stack gap="sm">
      <Divider />
      <Title order={3} size="sm">
        No SSH from here?
      </Title>
      <Text size="sm">
        Run a command on the server yourself: it {installed ? 'installs again' : 'downloads the gateway from this dashboard and installs it'}
        {installed && ', with this dashboard’s version and the present license key'}. The server only has to reach this
        dashboard.
      </Text>
      {open === null ? (
        <Stack gap={6} align="flex-start">
          <Button variant="default" loading={busy} disabled={refusal !== null} onClick={makeOne}>
            Make a command
          </Button>
          {refusal !== null && (
            <Text size="sm" c="dimmed">
              {refusal}
            </Text>
          )}
        </Stack>
      ) : made?.madeAt === open.madeAt ? (
        <Notice tone="warn" title="Run this on the server, as root or as a user who may use sudo" action={actions}>
          <div className={classes.installCommand}>
            <code className="mono">{made.command}</code>
            <CopyButton value={made.command} label="Copy install command" text="Copy" />
          </div>
          It contains a secret: do not share it. It is good for one install within the next{' '}
          <TimeLeft until={open.expiresAt} clockAheadMs={token.data?.clockAheadMs ?? 0} /> minutes, and is not shown again.
          This page updates as soon as the server begins.
        </Notice>
      ) : (
        <Notice tone="info" title="A command is open" action={actions}>
          {open.madeBy} made it <RelativeTime at={open.madeAt} />. It was shown once; it is good for the next{' '}
          <TimeLeft until={open.expiresAt} clockAheadMs={token.data?.clockAheadMs ?? 0} /> minutes. A new one takes its place.
        </Notice>
      )}
    </Stack>
  );
}

function TimeLeft({ until, clockAheadMs }: { until: string; clockAheadMs: number }) {
  const now = useSecond();
  return (
    <span className="numeric" role="timer">
      {timeLeft(Date.parse(until) - now - clockAheadMs)}
    </span>
  );
}
