import { useQueryClient } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { meQuery, useLogout } from '@/api/session';
import { notifyFailed } from '@/lib/notify';

export function useSignOut(): { run: () => void; pending: boolean } {
  const logout = useLogout();
  const client = useQueryClient();
  const router = useRouter();

  const leave = async (): Promise<void> => {
    // What is cached says that somebody is signed in; the login page would send them back.
    client.removeQueries({ queryKey: meQuery.queryKey });
    await router.navigate({ to: '/login', ignoreBlocker: true, replace: true });
    client.clear();
  };

  return {
    pending: logout.isPending,
    run: () => {
      logout.mutate(undefined, {
        onSuccess: () => void leave(),
        onError: (error) => {
          notifyFailed('You are still signed in', error);
        },
      });
    },
  };
}
