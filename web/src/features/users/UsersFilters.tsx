import type { User } from '@/api/types';
import type { UserFilters } from '@/api/users';
import { ColumnChoice } from '@/components/ColumnChoice';
import type { Column } from '@/components/DataTable';
import { FilterBar, FilterGrow } from '@/components/FilterBar';
import { FilterSelect } from '@/components/FilterSelect';
import { SearchInput } from '@/components/SearchInput';
import { LICENSE_OPTIONS, ROLE_OPTIONS, SERVER_STATUS_OPTIONS } from '@/lib/words';

interface UsersFiltersProps {
  filters: UserFilters;
  onChange: (change: UserFilters) => void;
  columns: Column<User>[];
  hidden: string[];
  onHidden: (hidden: string[]) => void;
}

export function UsersFilters({ filters, onChange, columns, hidden, onHidden }: UsersFiltersProps) {
  return (
    <FilterBar label="Filter users">
      <FilterGrow>
        <SearchInput
          label="Search users"
          placeholder="Search by name or server"
          withIcon
          value={filters.search}
          onChange={(search) => {
            onChange({ search });
          }}
        />
      </FilterGrow>
      <FilterSelect
        label="Filter by role"
        any="All roles"
        options={ROLE_OPTIONS}
        value={filters.role}
        onChange={(role) => {
          onChange({ role });
        }}
      />
      <FilterSelect
        label="Filter by license"
        any="All licenses"
        options={LICENSE_OPTIONS}
        value={filters.licenseStatus}
        onChange={(licenseStatus) => {
          onChange({ licenseStatus });
        }}
      />
      <FilterSelect
        label="Filter by server status"
        any="All server states"
        options={SERVER_STATUS_OPTIONS}
        value={filters.serverStatus}
        onChange={(serverStatus) => {
          onChange({ serverStatus });
        }}
      />
      <ColumnChoice
        columns={columns.filter((column) => column.actions !== true && column.id !== 'username')}
        hidden={hidden}
        onChange={onHidden}
      />
    </FilterBar>
  );
}
