import { Select, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { auditActionsQuery, type AuditFilters } from '@/api/admin';
import { FilterBar } from '@/components/FilterBar';
import { FilterSelect } from '@/components/FilterSelect';
import { SearchInput } from '@/components/SearchInput';
import { useDraft } from '@/lib/useDraft';
import classes from './audit.module.css';
import { timesReversed } from './times';

const OUTCOMES = [
  { value: 'SUCCESS', label: 'Success' },
  { value: 'FAILURE', label: 'Failure' },
] as const;

interface AuditFilterBarProps {
  filters: AuditFilters;
  onChange: (change: AuditFilters) => void;
}

export function AuditFilterBar({ filters, onChange }: AuditFilterBarProps) {
  const actions = useQuery(auditActionsQuery);
  const known = actions.data?.items ?? [];
  const options = filters.action !== undefined && !known.includes(filters.action) ? [filters.action, ...known] : known;

  return (
    <FilterBar label="Filter the audit log">
      <div className={classes.action}>
        <Select
          aria-label="Filter by action"
          placeholder="All actions"
          data={options}
          value={filters.action ?? null}
          onChange={(action) => {
            onChange({ action: action ?? undefined });
          }}
          searchable
          clearable
          allowDeselect
          clearButtonProps={{ 'aria-label': 'Clear action' }}
          nothingFoundMessage="No such action"
          maxDropdownHeight={320}
        />
      </div>
      <SearchInput
        label="Filter by actor"
        placeholder="Actor"
        value={filters.actor}
        onChange={(actor) => {
          onChange({ actor });
        }}
      />
      <SearchInput
        label="Filter by target"
        placeholder="Target name or id"
        value={filters.target}
        onChange={(target) => {
          onChange({ target });
        }}
      />
      <FilterSelect
        label="Filter by outcome"
        any="All outcomes"
        options={OUTCOMES}
        value={filters.outcome}
        onChange={(outcome) => {
          onChange({ outcome });
        }}
      />
      <div className={classes.times}>
        <TimeInput
          label="From (UTC)"
          value={filters.from}
          onChange={(from) => {
            onChange({ from });
          }}
        />
        <TimeInput
          label="To (UTC)"
          value={filters.to}
          error={timesReversed(filters) ? '“To” is before “From”.' : undefined}
          onChange={(to) => {
            onChange({ to });
          }}
        />
      </div>
    </FilterBar>
  );
}

interface TimeInputProps {
  label: string;
  value: string | undefined;
  error?: string;
  onChange: (value: string | undefined) => void;
}

function TimeInput({ label, value, error, onChange }: TimeInputProps) {
  const [text, setText] = useDraft(value ?? '');
  return (
    <div className={classes.time}>
      <TextInput
        type="datetime-local"
        aria-label={label}
        value={text}
        error={error}
        max="9999-12-31T23:59"
        leftSection={<span className={classes.prefix}>{label}</span>}
        leftSectionWidth={86}
        onChange={(event) => {
          const next = event.currentTarget.value;
          setText(next);
          onChange(next === '' ? undefined : next);
        }}
      />
    </div>
  );
}
