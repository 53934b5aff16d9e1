import type { QueryClient } from '@tanstack/react-query';
import { setRestrictedListener, setSessionEndedListener } from '@/api/client';
import { meQuery } from '@/api/session';
import { safeRedirect } from '@/lib/redirect';
import type { AppRouter } from './router';

/** Any answer that nobody is signed in leads back to the login page, and from there back here. */
export function watchSessionEnd(router: AppRouter, queryClient: QueryClient): void {
  let ending = false;

  async function end(): Promise<void> {
    ending = true;
    const wanted = safeRedirect(router.state.location.href);
    await router.navigate({
      to: '/login',
      search: { ended: true, ...(wanted === null ? {} : { redirect: wanted }) },
      ignoreBlocker: true,
    });
    // Only now: what is still on the screen must not start asking again.
    queryClient.clear();
    ending = false;
  }

  setSessionEndedListener(() => {
    // Without a person in the cache nobody was signed in, so nothing has ended.
    if (!ending && queryClient.getQueryData(meQuery.queryKey) !== undefined) void end();
  });

  setRestrictedListener(() => {
    if (['/enroll', '/choose-password'].includes(router.state.location.pathname)) return;
    const wanted = safeRedirect(router.state.location.href);
    // Who one is has to be asked again: what is cached says otherwise. The page itself knows what comes before it.
    queryClient.removeQueries({ queryKey: meQuery.queryKey, exact: true });
    void router.navigate({ to: '/choose-password', search: wanted === null ? {} : { redirect: wanted }, ignoreBlocker: true });
  });
}
