import type { Delivery, DeliveryState, Endpoint, EndpointKind, SmtpTls } from '@/api/types';
import type { Tone } from '@/lib/words';

export const KIND: Record<EndpointKind, string> = { WEBHOOK: 'Webhook', EMAIL: 'E-mail' };

export const DELIVERY_STATE: Record<DeliveryState, { label: string; tone: Tone }> = {
  WAITING: { label: 'Waiting', tone: 'busy' },
  DELIVERED: { label: 'Delivered', tone: 'ok' },
  FAILED: { label: 'Failed', tone: 'bad' },
  CANCELLED: { label: 'Cancelled', tone: 'idle' },
};

export const DELIVERY_STATES = (Object.keys(DELIVERY_STATE) as DeliveryState[]).map((value) => ({
  value,
  label: DELIVERY_STATE[value].label,
}));

export const TLS_CHOICES: { value: SmtpTls; label: string }[] = [
  { value: 'STARTTLS', label: 'STARTTLS (usually port 587)' },
  { value: 'TLS', label: 'TLS (usually port 465)' },
  { value: 'NONE', label: 'None (only to this machine)' },
];

export function endpointState(endpoint: Endpoint): { label: string; tone: Tone } {
  if (!endpoint.enabled) {
    if (endpoint.disabledReason === 'GONE' || endpoint.disabledReason === 'FAILURES') return { label: 'Switched off', tone: 'bad' };
    return { label: 'Off', tone: 'idle' };
  }
  return endpoint.failingSince === null ? { label: 'On', tone: 'ok' } : { label: 'Failing', tone: 'bad' };
}

/** Whether what it should be told does not arrive. */
export function failing(endpoint: Endpoint): boolean {
  return endpointState(endpoint).tone === 'bad';
}

export function destination(endpoint: Endpoint): string {
  return endpoint.kind === 'WEBHOOK' ? (endpoint.url ?? '') : endpoint.recipients.join(', ');
}

/** In the words of the filter. One that waits although it was tried has failed so far. */
export function deliveryState(delivery: Pick<Delivery, 'state' | 'attempts'>): { label: string; tone: Tone } {
  const { label, tone } = DELIVERY_STATE[delivery.state];
  return { label, tone: delivery.state === 'WAITING' && delivery.attempts > 0 ? 'warn' : tone };
}

/** One address a line, or separated by commas or semicolons. */
export function recipientsOf(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter((part) => part !== ''))];
}
