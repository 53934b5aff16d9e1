import { useState } from 'react';

/** A local copy of an outside value that follows it when it changes from elsewhere. */
export function useDraft<T>(outside: T): [T, (value: T) => void] {
  const [draft, setDraft] = useState(outside);
  const [seen, setSeen] = useState(outside);
  if (outside !== seen) {
    setSeen(outside);
    setDraft(outside);
  }
  return [draft, setDraft];
}
