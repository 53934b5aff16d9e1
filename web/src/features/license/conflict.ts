import { ApiError } from '@/api/problem';

/** A refused action says what the license is now; what is shown has been refreshed already. */
export function licenseError(error: unknown): unknown {
  if (!(error instanceof ApiError) || error.code !== 'license_state_conflict') return error;
  const now = error.licenseStatus === null ? '' : ` The license is ${error.licenseStatus} now.`;
  return new Error(`Someone or something changed this license in the meantime.${now} Close this dialog and look again.`);
}
