import { Button, Menu } from '@mantine/core';
import { auditExportUrl, type AuditFilters, type ExportFormat } from '@/api/admin';
import { Icon } from '@/components/Icon';
import classes from './audit.module.css';

const FORMATS: { format: ExportFormat; label: string; says: string }[] = [
  { format: 'csv', label: 'CSV', says: 'For spreadsheets. The last line is signed.' },
  { format: 'jsonl', label: 'JSON Lines', says: 'One object a line, for programs. The last one is signed.' },
];

/** What the filters show, with a signed last line. */
export function ExportMenu({ filters, disabled }: { filters: AuditFilters; disabled: boolean }) {
  return (
    <Menu position="bottom-end" width={320} returnFocus>
      <Menu.Target>
        <Button variant="default" disabled={disabled} leftSection={<Icon name="download" size={14} />} rightSection={<Icon name="down" size={12} />}>
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {FORMATS.map(({ format, label, says }) => (
          <Menu.Item key={format} component="a" href={auditExportUrl(filters, format)} download aria-label={`Export as ${label}`}>
            {label}
            <span className={classes.says}>{says}</span>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
