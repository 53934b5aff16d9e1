import type { Listener } from '@/api/types';

export interface ListenerRow {
  /** Stays with the row while others come and go. */
  key: string;
  port: number | string;
  backendUrl: string;
}

export interface ManageValues {
  listeners: ListenerRow[];
}

let rows = 0;

export function newRow(listener: { port: number | string; backendUrl: string } = { port: '', backendUrl: '' }): ListenerRow {
  rows += 1;
  return { key: `row-${rows}`, port: listener.port, backendUrl: listener.backendUrl };
}

export function toRows(listeners: readonly Listener[]): ListenerRow[] {
  return listeners.map((listener) => newRow(listener));
}

export function toListeners(list: readonly ListenerRow[]): Listener[] {
  return list.map(({ port, backendUrl }) => ({ port: Number(port), backendUrl: backendUrl.trim() }));
}

export function sameListeners(list: readonly ListenerRow[], listeners: readonly Listener[]): boolean {
  return (
    list.length === listeners.length &&
    list.every((row, index) => {
      const other = listeners[index];
      return other !== undefined && row.port !== '' && Number(row.port) === other.port && row.backendUrl.trim() === other.backendUrl;
    })
  );
}

export function duplicatePortProblem(list: readonly ListenerRow[], index: number): string | null {
  const port = list[index]?.port;
  if (port === undefined || port === '') return null;
  const first = list.findIndex((row) => row.port !== '' && Number(row.port) === Number(port));
  return first !== index ? 'This port is listed twice.' : null;
}
