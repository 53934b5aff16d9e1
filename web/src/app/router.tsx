import type { QueryClient } from '@tanstack/react-query';
import {
  createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, notFound, Outlet, redirect,
} from '@tanstack/react-router';
import { meQuery } from '@/api/session';
import { ApiError } from '@/api/problem';
import type { Me, Role } from '@/api/types';
import { CrashPage } from '@/features/shell/CrashPage';
import { NotFoundPage } from '@/features/shell/NotFoundPage';
import { noteNavigation } from '@/lib/navigation';
import { homeOf, safeRedirect } from '@/lib/redirect';
import { auditSearch, endpointKindSearch, enrollSearch, loginSearch, usersSearch } from './search';

interface RouterContext {
  queryClient: QueryClient;
}

async function signedIn(client: QueryClient): Promise<Me | null> {
  try {
    return await client.query({ ...meQuery, staleTime: 'static' });
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}

const rootRoute = createRootRouteWithContext<RouterContext>()({
  component: Outlet,
  notFoundComponent: NotFoundPage,
});

const loginPage = lazyRouteComponent(() => import('@/features/auth/LoginPage'), 'LoginPage');

async function leaveLoginWhenSignedIn(client: QueryClient, search: { redirect?: string; ended?: boolean }): Promise<void> {
  if (search.ended === true) return;
  // An unreachable dashboard is no reason to hide the login form.
  const me = await signedIn(client).catch(() => null);
  if (me !== null) throw redirect({ to: homeOf(me.role), replace: true });
}

const loginRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/login',
  validateSearch: loginSearch,
  beforeLoad: ({ context, search }) => leaveLoginWhenSignedIn(context.queryClient, search),
  component: loginPage,
});

const loginSlugRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/login/$slug',
  validateSearch: loginSearch,
  beforeLoad: ({ context, search }) => leaveLoginWhenSignedIn(context.queryClient, search),
  component: loginPage,
});

const choosePasswordRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/choose-password',
  validateSearch: enrollSearch,
  beforeLoad: async ({ context, search }) => {
    const me = await signedIn(context.queryClient);
    if (me === null) throw redirect({ to: '/login', search, replace: true });
    if (!me.mustChangePassword && me.mustEnroll) throw redirect({ to: '/enroll', search, replace: true });
    if (!me.mustChangePassword) throw redirect({ to: homeOf(me.role), replace: true });
    return { me };
  },
  component: lazyRouteComponent(() => import('@/features/choosePassword/ChoosePasswordPage'), 'ChoosePasswordPage'),
  errorComponent: CrashPage,
});

const enrollRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/enroll',
  validateSearch: enrollSearch,
  beforeLoad: async ({ context, search }) => {
    const me = await signedIn(context.queryClient);
    if (me === null) throw redirect({ to: '/login', search, replace: true });
    if (me.mustChangePassword) throw redirect({ to: '/choose-password', search, replace: true });
    if (!me.mustEnroll) throw redirect({ to: homeOf(me.role), replace: true });
    return { me };
  },
  component: lazyRouteComponent(() => import('@/features/enroll/EnrollPage'), 'EnrollPage'),
  errorComponent: CrashPage,
});

const shellRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: 'shell',
  beforeLoad: async ({ context, location }) => {
    const me = await signedIn(context.queryClient);
    if (me === null) {
      const wanted = safeRedirect(location.href);
      throw redirect({ to: '/login', search: wanted === null || wanted === '/' ? {} : { redirect: wanted }, replace: true });
    }
    if (me.mustChangePassword || me.mustEnroll) {
      const wanted = safeRedirect(location.href);
      const first = me.mustChangePassword ? '/choose-password' : '/enroll';
      throw redirect({ to: first, search: wanted === null || wanted === '/' ? {} : { redirect: wanted }, replace: true });
    }
    return { me };
  },
  component: lazyRouteComponent(() => import('@/features/shell/Shell'), 'Shell'),
  notFoundComponent: NotFoundPage,
  errorComponent: CrashPage,
});

const indexRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/',
  beforeLoad: ({ context }) => {
    throw redirect({ to: homeOf(context.me.role), replace: true });
  },
});

/** Somebody else's page looks exactly like one that does not exist. */
function only(role: Role) {
  return ({ context }: { context: { me: Me } }): void => {
    if (context.me.role !== role) throw notFound();
  };
}

const adminRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/admin',
  beforeLoad: only('ADMIN'),
  component: Outlet,
  notFoundComponent: NotFoundPage,
});

const adminIndexRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/admin/fleet', replace: true });
  },
});

const fleetRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/fleet',
  component: lazyRouteComponent(() => import('@/features/fleet/FleetPage'), 'FleetPage'),
});

const usersRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/users',
  validateSearch: usersSearch,
  component: lazyRouteComponent(() => import('@/features/users/UsersPage'), 'UsersPage'),
});

const addUserRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/users/new',
  component: lazyRouteComponent(() => import('@/features/users/AddUserPage'), 'AddUserPage'),
});

const editUserRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/users/$userId',
  component: lazyRouteComponent(() => import('@/features/users/EditUserPage'), 'EditUserPage'),
});

const auditRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/audit',
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import('@/features/audit/AuditPage'), 'AuditPage'),
});

const settingsRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/settings',
  component: lazyRouteComponent(() => import('@/features/settings/SettingsPage'), 'SettingsPage'),
});

const keysRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/settings/keys',
  component: lazyRouteComponent(() => import('@/features/keys/KeysPage'), 'KeysPage'),
});

const notificationsRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/settings/notifications',
  component: lazyRouteComponent(() => import('@/features/notifications/NotificationsPage'), 'NotificationsPage'),
});

const addEndpointRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/settings/notifications/new',
  validateSearch: endpointKindSearch,
  component: lazyRouteComponent(() => import('@/features/notifications/AddEndpointPage'), 'AddEndpointPage'),
});

const endpointRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/settings/notifications/$endpointId',
  component: lazyRouteComponent(() => import('@/features/notifications/EndpointPage'), 'EndpointPage'),
});

const appRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/app',
  beforeLoad: only('CUSTOMER'),
  component: Outlet,
  notFoundComponent: NotFoundPage,
});

const appIndexRoute = createRoute({
  getParentRoute: () => appRoute,
  path: '/',
  component: lazyRouteComponent(() => import('@/features/customer/MyServerPage'), 'MyServerPage'),
});

const appServerRoute = createRoute({
  getParentRoute: () => appRoute,
  path: '/servers/$serverId',
  component: lazyRouteComponent(() => import('@/features/customer/ServerPage'), 'ServerPage'),
});

const accountRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/account',
  component: lazyRouteComponent(() => import('@/features/account/AccountPage'), 'AccountPage'),
});

const securityRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/account/security',
  component: lazyRouteComponent(() => import('@/features/security/SecurityPage'), 'SecurityPage'),
});

/** Also for unknown addresses, so that they look like those that are somebody else's. */
const unknownRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '$',
  component: NotFoundPage,
});

const routeTree = rootRoute.addChildren([
  loginRoute,
  loginSlugRoute,
  choosePasswordRoute,
  enrollRoute,
  shellRoute.addChildren([
    indexRoute,
    adminRoute.addChildren([
      adminIndexRoute, fleetRoute, usersRoute, addUserRoute, editUserRoute, auditRoute, settingsRoute, keysRoute,
      notificationsRoute, addEndpointRoute, endpointRoute,
    ]),
    appRoute.addChildren([appIndexRoute, appServerRoute]),
    accountRoute,
    securityRoute,
    unknownRoute,
  ]),
]);

export function createAppRouter(queryClient: QueryClient) {
  const router = createRouter({
    routeTree,
    context: { queryClient },
    defaultNotFoundComponent: NotFoundPage,
    defaultErrorComponent: CrashPage,
    defaultPreload: 'intent',
    defaultPreloadStaleTime: 0,
    scrollRestoration: true,
  });
  router.subscribe('onBeforeNavigate', (event) => {
    if (event.fromLocation !== undefined && event.pathChanged) noteNavigation();
  });
  return router;
}

export type AppRouter = ReturnType<typeof createAppRouter>;

declare module '@tanstack/react-router' {
  interface Register {
    router: AppRouter;
  }
}
