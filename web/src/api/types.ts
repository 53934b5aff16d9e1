import type { components } from './schema';

type Schemas = components['schemas'];

export type Role = Schemas['Role'];
export type LicenseStatus = Schemas['LicenseStatus'];
export type ServerStatus = Schemas['ServerStatus'];
export type Problem = Schemas['Problem'];
export type FieldError = Schemas['FieldError'];
export type Me = Schemas['Me'];
export type Session = Schemas['Session'];
export type Server = Schemas['Server'];
export type LicenseBrief = Schemas['LicenseBrief'];
export type User = Schemas['User'];
export type Listener = Schemas['Listener'];
export type ServerConfig = Schemas['ServerConfig'];
export type License = Schemas['License'];
export type AuditEntry = Schemas['AuditEntry'];
export type Settings = Schemas['Settings'];
export type Fleet = Schemas['Fleet'];
export type AttentionItem = Schemas['AttentionItem'];
export type CreateUserRequest = Schemas['CreateUserRequest'];
export type UpdateUserRequest = Schemas['UpdateUserRequest'];
export type LoginRequest = Schemas['LoginRequest'];
