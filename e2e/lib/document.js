// The API's document: what somebody can send.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {{ $ref?: string, type?: string | string[], enum?: unknown[], format?: string, properties?: Record<string, Schema>, items?: Schema, oneOf?: Schema[], allOf?: Schema[], anyOf?: Schema[] }} Schema */

const document = JSON.parse(readFileSync(join(import.meta.dirname, '../../openapi/dashboard.json'), 'utf8'));

/**
 * @param {Schema} schema
 * @param {string} path
 * @param {Set<string>} found
 */
function collect(schema, path, found) {
  if (schema.$ref !== undefined) return collect(document.components.schemas[schema.$ref.split('/').at(-1) ?? ''], path, found);
  for (const part of [...(schema.oneOf ?? []), ...(schema.allOf ?? []), ...(schema.anyOf ?? [])]) collect(part, path, found);
  const types = [schema.type].flat();
  for (const [name, property] of Object.entries(schema.properties ?? {})) collect(property, path === '' ? name : `${path}.${name}`, found);
  if (types.includes('array') && schema.items) collect(schema.items, `${path}[]`, found);
  const free = schema.enum === undefined && !['uuid', 'date-time'].includes(schema.format ?? '');
  // An object without properties holds whatever its sender likes.
  if ((types.includes('string') && free) || (types.includes('object') && schema.properties === undefined)) found.add(path);
}

/**
 * Every field of every request's body that takes a text of the sender's own, by operation such as `PUT /api/v1/settings`.
 * @returns {Record<string, string[]>}
 */
export function sentStrings() {
  /** @type {Record<string, string[]>} */
  const all = {};
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const found = new Set();
      for (const { schema } of Object.values(operation.requestBody?.content ?? {})) collect(schema, '', found);
      if (found.size > 0) all[`${method.toUpperCase()} ${path}`] = [...found].sort();
    }
  }
  return all;
}

/**
 * A value as the document describes it, in which every text of the sender's own is `text`: also those that are added later.
 * @param {Schema} schema
 * @param {string} text
 * @returns {any}
 */
function fill(schema, text) {
  if (schema.$ref !== undefined) return fillNamed(schema.$ref.split('/').at(-1) ?? '', text);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((part) => fill(part, text)));
  const first = (schema.oneOf ?? schema.anyOf ?? []).find(({ type }) => type !== 'null');
  if (first) return fill(first, text);
  if (schema.enum) return schema.enum[0];
  const types = [schema.type].flat();
  if (types.includes('object')) return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, property]) => [name, fill(property, text)]));
  if (types.includes('array')) return schema.items ? [fill(schema.items, text)] : [];
  if (types.includes('integer')) return 1;
  if (types.includes('boolean')) return false;
  if (schema.format === 'uuid') return randomUUID();
  if (schema.format === 'date-time') return new Date().toISOString();
  return text;
}

/**
 * @param {string} name of a schema
 * @param {string} text
 * @param {number} [variant] which, of a schema with several
 */
export function fillNamed(name, text, variant = 0) {
  const schema = /** @type {Schema} */ (document.components.schemas[name]);
  return fill(schema.oneOf?.[variant] ?? schema, text);
}
