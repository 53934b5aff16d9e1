import type { components } from './schema';

type Schemas = components['schemas'];

export type Role = Schemas['Role'];
export type LicenseStatus = Schemas['LicenseStatus'];
export type ServerStatus = Schemas['ServerStatus'];
export type Problem = Schemas['Problem'];
export type FieldError = Schemas['FieldError'];
export type SignedInWith = 'PASSWORD' | 'TOTP' | 'PASSKEY' | 'RECOVERY_CODE';
export interface Access {
  mustEnroll?: boolean;
  secondFactor?: boolean;
  secondFactorRequired?: boolean;
  signedInWith?: SignedInWith;
  recoveryCodesLeft?: number | null;
}
export type Me = Schemas['Me'] & Access;
export type Session = Schemas['Session'];
export type Server = Schemas['Server'];
export type LicenseBrief = Schemas['LicenseBrief'];
export type ManagementPort = Schemas['ManagementPort'];
export type GatewayStatus = Schemas['GatewayStatus'];
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
export type Connection = Schemas['Connection'];
export type SaveConnectionRequest = Schemas['SaveConnectionRequest'];
export type HostKeyState = Schemas['HostKeyState'];
export type ConnectionTest = Schemas['ConnectionTest'];
export type BoxProblem = Schemas['BoxProblem'];
export type Job = Schemas['Job'];
export type JobDetails = Schemas['JobDetails'];
export type JobKind = Schemas['JobKind'];
export type JobState = Schemas['JobState'];
export type JobStep = Schemas['JobStep'];
export type JobLogLine = Schemas['JobLogLine'];
export type StepState = Schemas['StepState'];
