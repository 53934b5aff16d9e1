let navigations = 0;

export function noteNavigation(): void {
  navigations += 1;
}

/** True once the reader has moved from one page to another inside the application. */
export function wasNavigated(): boolean {
  return navigations > 0;
}
