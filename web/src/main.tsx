import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import './app/global.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app/App';
import { createQueryClient } from './app/queryClient';
import { createAppRouter } from './app/router';
import { watchSessionEnd } from './app/sessionEnd';
import { keepFocusOnSubmit } from './lib/formErrors';

const queryClient = createQueryClient();
const router = createAppRouter(queryClient);
watchSessionEnd(router, queryClient);
keepFocusOnSubmit();

const root = document.getElementById('root');
if (root === null) throw new Error('The page has no root element.');
createRoot(root).render(
  <StrictMode>
    <App router={router} queryClient={queryClient} />
  </StrictMode>,
);
