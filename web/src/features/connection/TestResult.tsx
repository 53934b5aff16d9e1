import { Stack } from '@mantine/core';
import type { BoxProblem, ConnectionTest } from '@/api/types';
import { Fact, Facts } from '@/components/Facts';
import { Icon } from '@/components/Icon';
import { Notice } from '@/components/Notice';
import { stepWord } from '@/features/jobs/words';
import classes from './connection.module.css';

/** What the box is, and everything that stands in the way, each with its remedy. */
export function TestResult({ result }: { result: ConnectionTest }) {
  const { facts, problem, warnings, steps } = result;
  return (
    <Stack gap="md">
      {problem === null ? (
        <Notice tone="ok" title="The connection works">
          The dashboard can log in and finds nothing that stands in the way of the gateway.
        </Notice>
      ) : (
        <BoxNotice tone="bad" problem={problem} />
      )}
      {warnings.map((warning) => (
        <BoxNotice key={`${warning.code} ${warning.sentence}`} tone="warn" problem={warning} />
      ))}
      <Facts>
        <Fact name="Checked">
          <ul className={classes.checks} aria-label="What was checked">
            {steps.map((step) => {
              const { icon, tone, label } = stepWord(step.state, true);
              return (
                <li key={step.title} className={classes.check}>
                  <span style={{ color: `var(--px-${tone})` }}>
                    <Icon name={icon ?? 'minus'} size={14} />
                  </span>
                  {step.title}
                  <span className={classes.quiet}>{label}</span>
                </li>
              );
            })}
          </ul>
        </Fact>
        {facts !== null && (
          <>
            <Fact name="System">
              {facts.osName}, {facts.architecture}
            </Fact>
            <Fact name="systemd">{facts.systemdRunning ? (facts.systemdVersion ?? 'Running') : 'Not running'}</Fact>
            <Fact name="Free disk space">
              {facts.disks.map((disk) => (
                <div key={disk.path}>
                  <span className="mono">{disk.path}</span> {mebibytes(disk.freeKib)}
                </div>
              ))}
            </Fact>
          </>
        )}
      </Facts>
    </Stack>
  );
}

export function BoxNotice({ problem, tone }: { problem: BoxProblem; tone: 'bad' | 'warn' }) {
  return (
    <Notice tone={tone} title={problem.sentence}>
      {problem.remedy}
    </Notice>
  );
}

/** `512 MiB`, `12.3 GiB` */
export function mebibytes(kib: number): string {
  const mib = kib / 1024;
  return mib < 1024 ? `${Math.floor(mib)} MiB` : `${(mib / 1024).toFixed(1)} GiB`;
}
