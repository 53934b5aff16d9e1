import { Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { certificateQuery } from '@/api/admin';
import type { Certificate, CertificateState } from '@/api/types';
import { Fact, Facts } from '@/components/Facts';
import { Notice } from '@/components/Notice';
import { RelativeTime } from '@/components/RelativeTime';
import { Section } from '@/components/Section';
import { ErrorState, LoadingLines, OutOfDate } from '@/components/States';
import { StatusDot } from '@/components/StatusDot';
import { spokenUtc } from '@/lib/time';
import type { Tone } from '@/lib/words';

const STATE: Record<CertificateState, { label: string; tone: Tone }> = {
  NOT_HERE: { label: 'None here', tone: 'idle' },
  ORDERED: { label: 'Being issued', tone: 'busy' },
  MISSING: { label: 'Not issued', tone: 'bad' },
  GOOD: { label: 'Good', tone: 'ok' },
  AT_RISK: { label: 'Needs attention', tone: 'warn' },
  ENDED: { label: 'Expired', tone: 'bad' },
};

const TITLE: Partial<Record<CertificateState, string>> = {
  MISSING: 'The certificate could not be issued',
  AT_RISK: 'The certificate needs attention',
  ENDED: 'The certificate has expired: browsers and gateways refuse this dashboard',
};

/** What this dashboard serves HTTPS with; it is set up on its host. */
export function CertificateSection() {
  const certificate = useQuery(certificateQuery);
  const { data } = certificate;
  return (
    <Section
      title="HTTPS certificate"
      hint="What this dashboard answers with. It is set up in the configuration on its host."
      aside={data !== undefined && <StatusDot {...STATE[data.state]} />}
    >
      <Stack gap="sm">
        <OutOfDate query={certificate} />
        {data !== undefined ? (
          <CertificateView certificate={data} />
        ) : certificate.isError ? (
          <ErrorState
            what="The certificate"
            error={certificate.error}
            onRetry={() => void certificate.refetch()}
            retrying={certificate.isFetching}
          />
        ) : (
          <LoadingLines lines={3} />
        )}
      </Stack>
    </Section>
  );
}

function CertificateView({ certificate }: { certificate: Certificate }) {
  const { state, problems, notAfter } = certificate;
  const title = TITLE[state];
  if (state === 'NOT_HERE') {
    return (
      <Text size="sm" c="dimmed">
        This dashboard has no certificate of its own: a proxy in front of it handles HTTPS, or nothing does.
      </Text>
    );
  }
  return (
    <>
      {title !== undefined && (
        <Notice tone={state === 'AT_RISK' ? 'warn' : 'bad'} title={title}>
          {problems.map((problem) => (
            <div key={problem}>{problem}</div>
          ))}
          {certificate.nextAttemptAt !== null && (
            <div>
              Last tried <RelativeTime at={certificate.failedAt} />, next <RelativeTime at={certificate.nextAttemptAt} />; at once with{' '}
              <span className="mono">systemctl reload proxima-dashboard</span>.
            </div>
          )}
        </Notice>
      )}
      <Facts>
        <Fact name="Host">
          <span className="mono">{certificate.host}</span>
        </Fact>
        <Fact name="Comes from">{certificate.authority === null ? 'Files on the host' : <span className="mono">{certificate.authority}</span>}</Fact>
        {certificate.issuer !== null && <Fact name="Signed by">{certificate.issuer}</Fact>}
        {notAfter !== null && (
          <Fact name={state === 'ENDED' ? 'Expired' : 'Expires'}>
            {spokenUtc(notAfter)} (<RelativeTime at={notAfter} />)
          </Fact>
        )}
        {certificate.authority !== null && certificate.renewAt !== null && (
          <Fact name="Renewed">
            <RelativeTime at={certificate.renewAt} />
          </Fact>
        )}
      </Facts>
    </>
  );
}
