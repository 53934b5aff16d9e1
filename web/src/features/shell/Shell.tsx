import { AppShell, Burger, Group } from '@mantine/core';
import { useDisclosure, useHotkeys, useMediaQuery } from '@mantine/hooks';
import { Link, Outlet } from '@tanstack/react-router';
import { useRef } from 'react';
import { homeOf } from '@/lib/redirect';
import { Brand } from './Brand';
import { Navigation } from './Navigation';
import { Notices } from './Notices';
import { Profile } from './Profile';
import classes from './Shell.module.css';
import { useMe } from './useMe';

export function Shell() {
  const me = useMe();
  const [opened, { toggle, close }] = useDisclosure(false);
  const phone = useMediaQuery('(max-width: 47.99em)', undefined, { getInitialValueInEffect: false });
  const burger = useRef<HTMLButtonElement>(null);
  useHotkeys([
    [
      'Escape',
      () => {
        if (!opened || !phone) return;
        close();
        burger.current?.focus();
      },
      { preventDefault: false },
    ],
  ]);

  return (
    <AppShell
      header={{ height: 52, collapsed: !phone }}
      navbar={{ width: 232, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding={{ base: 'md', sm: 'xl' }}
      transitionDuration={0}
    >
      <a className="skip-link" href="#content">
        Skip to content
      </a>
      {phone && (
        <AppShell.Header className={classes.header}>
          <Group h="100%" px="md" justify="space-between">
            <Link to={homeOf(me.role)} className={classes.brand} onClick={close}>
              <Brand />
            </Link>
            <Burger
              ref={burger}
              opened={opened}
              onClick={toggle}
              size="sm"
              aria-label={opened ? 'Close navigation' : 'Open navigation'}
              aria-expanded={opened}
              aria-controls="navigation"
            />
          </Group>
        </AppShell.Header>
      )}
      <AppShell.Navbar p="md" id="navigation" className={classes.navbar} aria-label="Main" style={phone && !opened ? { display: 'none' } : undefined}>
        {!phone && (
          <AppShell.Section mb="md" px={10} pt={4}>
            <Link to={homeOf(me.role)} className={classes.brand}>
              <Brand />
            </Link>
          </AppShell.Section>
        )}
        <AppShell.Section grow style={{ overflowY: 'auto' }}>
          <Navigation role={me.role} onNavigate={close} />
        </AppShell.Section>
        <AppShell.Section className={classes.profile}>
          <Profile me={me} />
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main className={classes.main}>
        <div id="content" tabIndex={-1} className={classes.content} style={{ outline: 'none' }}>
          <Notices me={me} />
          <Outlet />
        </div>
      </AppShell.Main>
    </AppShell>
  );
}
