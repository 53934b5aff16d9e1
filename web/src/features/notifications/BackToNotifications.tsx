import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { Icon } from '@/components/Icon';

export function BackToNotifications() {
  return (
    <Anchor component={Link} to="/admin/settings/notifications" size="sm" mb={6} style={{ display: 'inline-flex', alignItems: 'center', gap: 4 }}>
      <Icon name="left" size={14} />
      Notifications
    </Anchor>
  );
}
