import { useQuery } from '@tanstack/react-query';
import { useRouteContext } from '@tanstack/react-router';
import { meQuery } from '@/api/session';
import type { Me } from '@/api/types';

/** The signed-in person, fresh after an edit; the router has already made sure that there is one. */
export function useMe(): Me {
  const { me } = useRouteContext({ from: '/shell' });
  return useQuery(meQuery).data ?? me;
}
