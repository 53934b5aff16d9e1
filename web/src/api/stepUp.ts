import type { Problem } from './types';

/** Asks the person to prove that it is them; false when they would rather not. */
type Prover = (methods: readonly string[]) => Promise<boolean>;

let prover: Prover | null = null;
let asking: Promise<boolean> | null = null;

export function setStepUpProver(next: Prover | null): void {
  prover = next;
}

async function neededMethods(answer: Response): Promise<readonly string[] | null> {
  if (answer.status !== 403) return null;
  const body: unknown = await answer
    .clone()
    .json()
    .catch(() => null);
  const problem = body as (Partial<Problem> & { methods?: unknown }) | null;
  if (problem?.code !== 'step_up_required') return null;
  return Array.isArray(problem.methods) ? problem.methods.filter((method) => typeof method === 'string') : [];
}

/**
 * Sends a request. If it is refused because the person has not proven themselves lately, they are asked, and it is sent
 * once more. Several refused at the same time share one question. Who declines gets the refusal.
 */
export async function fetchWithStepUp(request: Request): Promise<Response> {
  const again = request.clone();
  const answer = await globalThis.fetch(request);
  const methods = await neededMethods(answer);
  if (methods === null || prover === null) return answer;
  asking ??= prover(methods).finally(() => {
    asking = null;
  });
  return (await asking) ? globalThis.fetch(again) : answer;
}
