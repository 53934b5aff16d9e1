import { createContext, useContext, type ReactNode } from 'react';

const HeardAt = createContext<number | null>(null);

interface AsHeardProps {
  query: { isError: boolean; data: unknown; dataUpdatedAt: number };
  children: ReactNode;
}

/** While a query fails, states below say when they were true: nobody knows whether they still are. */
export function AsHeard({ query, children }: AsHeardProps) {
  return <HeardAt value={query.isError && query.data !== undefined ? query.dataUpdatedAt : null}>{children}</HeardAt>;
}

/** When what is shown was last heard, in milliseconds; null while it is known to be so now. */
export function useHeardAt(): number | null {
  return useContext(HeardAt);
}
