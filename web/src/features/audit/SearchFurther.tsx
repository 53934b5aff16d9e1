import { Button } from '@mantine/core';
import { useEffect, useState } from 'react';
import type { AuditPageOf } from '@/api/types';
import { RelativeTime } from '@/components/RelativeTime';
import classes from './audit.module.css';

/** How many pages are asked for without a click while too little was found. */
const BY_ITSELF = 5;
const ENOUGH = 25;

interface Search {
  data: { pages: AuditPageOf[] } | undefined;
  hasNextPage: boolean;
  isFetching: boolean;
  isError: boolean;
  isPlaceholderData: boolean;
  fetchNextPage: () => Promise<unknown>;
}

interface Further {
  searching: boolean;
  searchedTo: string;
  onFurther: () => void;
}

/** A rare combination of filters in a huge log: goes on by itself for a while, then asks. null when there is nothing to say. */
export function useSearchFurther(search: Search): Further | null {
  const pages = search.isPlaceholderData ? undefined : search.data?.pages;
  const [allowed, setAllowed] = useState(BY_ITSELF);
  const searchedTo = pages?.at(-1)?.searchedTo ?? null;
  const found = pages?.reduce((sum, page) => sum + page.items.length, 0) ?? 0;
  const few = pages !== undefined && search.hasNextPage && searchedTo !== null && found < ENOUGH;
  const searching = few && !search.isError && pages.length < allowed;
  const { fetchNextPage, isFetching } = search;

  useEffect(() => {
    if (searching && !isFetching) void fetchNextPage();
  }, [searching, isFetching, fetchNextPage]);

  if (!few) return null;
  return {
    searching,
    searchedTo,
    onFurther: () => {
      setAllowed(pages.length + BY_ITSELF);
    },
  };
}

export function SearchFurther({ searching, searchedTo, onFurther }: Further) {
  return (
    <div className={classes.further} role="status">
      <span>
        Searched back to <RelativeTime at={searchedTo} />.
      </span>
      <Button variant="default" loading={searching} onClick={onFurther}>
        Search further
      </Button>
    </div>
  );
}
