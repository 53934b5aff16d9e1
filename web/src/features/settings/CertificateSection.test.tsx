import { screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { Certificate } from '@/api/types';
import { mockApi, problem } from '@/test/api';
import { show } from '@/test/render';
import { CertificateSection } from './CertificateSection';

const ISSUED: Certificate = {
  state: 'GOOD',
  host: 'panel.example.com',
  authority: 'https://authority.example/dir',
  issuer: "Let's Encrypt, R11",
  notAfter: '2031-02-01T00:00:00Z',
  renewAt: '2031-01-01T00:00:00Z',
  problems: [],
  failedAt: null,
  nextAttemptAt: null,
};

async function section(certificate: Partial<Certificate>): Promise<void> {
  mockApi({ 'GET /settings/certificate': { body: { ...ISSUED, ...certificate } } });
  await show(<CertificateSection />);
}

describe('CertificateSection', () => {
  it('names host, authority, signer and end of a good one', async () => {
    await section({});
    expect(await screen.findByText('Good')).toBeInTheDocument();
    for (const text of ['panel.example.com', 'https://authority.example/dir', "Let's Encrypt, R11"]) {
      expect(screen.getByText(text)).toBeInTheDocument();
    }
    expect(screen.getByText(/1 Feb 2031, 00:00 UTC/)).toBeInTheDocument();
    expect(screen.queryByText(/needs attention/i)).not.toBeInTheDocument();
  });

  it('says why one is not renewed, and when it is tried again', async () => {
    const failed = { failedAt: '2031-01-02T00:00:00Z', nextAttemptAt: '2031-01-02T06:00:00Z' };
    await section({ ...failed, state: 'AT_RISK', problems: ['the authority could not reach this dashboard'] });
    expect(await screen.findByText('the authority could not reach this dashboard')).toBeInTheDocument();
    expect(screen.getByText('systemctl reload proxima-dashboard')).toBeInTheDocument();
    expect(screen.getByText('Needs attention')).toBeInTheDocument();
  });

  it('is loud about one that has ended or was never issued', async () => {
    await section({ state: 'ENDED', authority: null, renewAt: null, problems: ['cert.pem: certificate 1 expired'] });
    expect(await screen.findByRole('alert')).toHaveTextContent('cert.pem: certificate 1 expired');
    expect(screen.getByText('Files on the host')).toBeInTheDocument();
  });

  it.each([
    ['MISSING', 'The certificate could not be issued'],
    ['ORDERED', 'Being issued'],
  ] as const)('shows %s without an end', async (state, text) => {
    await section({ state, issuer: null, notAfter: null, renewAt: null });
    expect(await screen.findByText(text)).toBeInTheDocument();
    expect(screen.queryByText('Expires')).not.toBeInTheDocument();
  });

  it('says that there is none here', async () => {
    await section({ state: 'NOT_HERE', host: null, authority: null, issuer: null, notAfter: null, renewAt: null });
    expect(await screen.findByText(/no certificate of its own/)).toBeInTheDocument();
  });

  it('offers to try again', async () => {
    mockApi({ 'GET /settings/certificate': problem({ status: 503, code: 'unavailable' }) });
    await show(<CertificateSection />);
    expect(await screen.findByRole('button', { name: 'Retry' })).toBeInTheDocument();
  });
});
