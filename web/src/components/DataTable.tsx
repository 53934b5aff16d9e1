import { Button, Skeleton, UnstyledButton } from '@mantine/core';
import { Fragment, type MouseEvent, type ReactNode } from 'react';
import classes from './DataTable.module.css';
import { Icon } from './Icon';

export interface Column<T> {
  id: string;
  header: string;
  cell: (row: T) => ReactNode;
  align?: 'end';
  /** The server's name for sorting by this column. */
  sortKey?: string;
  /** A column of buttons: its header is for screen readers only, on a phone it sits in the corner. */
  actions?: boolean;
  width?: number | string;
}

interface DataTableProps<T> {
  label: string;
  columns: Column<T>[];
  rows: T[] | undefined;
  rowKey: (row: T) => string | number;
  onRowClick?: (row: T) => void;
  /** An open row's second line. */
  detail?: (row: T) => ReactNode;
  sort?: string;
  onSort?: (sort: string) => void;
  empty?: ReactNode;
  more?: { hasMore: boolean; loading: boolean; onMore: () => void; noun: [one: string, many: string] };
}

function ariaSort(key: string | undefined, sort: string | undefined): 'ascending' | 'descending' | undefined {
  if (key === undefined || sort === undefined) return undefined;
  return sort === key ? 'ascending' : sort === `-${key}` ? 'descending' : undefined;
}

/** Clicks on links, buttons and selected text are not clicks on the row. */
function isRowClick(event: MouseEvent<HTMLElement>): boolean {
  if (event.defaultPrevented || !(event.target instanceof Element)) return false;
  // Dialogs opened from a row are its children for React, not for the document.
  if (!event.currentTarget.contains(event.target)) return false;
  return event.target.closest('a,button,input,label') === null && window.getSelection()?.toString() === '';
}

export function DataTable<T>(props: DataTableProps<T>) {
  const { label, columns, rows, rowKey, onRowClick, detail, sort, onSort, empty, more } = props;
  if (rows?.length === 0) return <>{empty}</>;
  return (
    <div className={classes.wrap}>
      {/* The roles are spelled out because the phone's layout would otherwise take them away. */}
      <table className={classes.table} aria-label={label} role="table" aria-busy={rows === undefined}>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => (
              <HeaderCell key={column.id} column={column} sort={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows === undefined
            ? Array.from({ length: 6 }, (_, index) => <SkeletonRow key={index} columns={columns} />)
            : rows.map((row) => {
                const extra = detail?.(row);
                return (
                  <Fragment key={rowKey(row)}>
                    <tr
                      role="row"
                      className={onRowClick ? classes.clickable : undefined}
                      onClick={(event) => {
                        if (onRowClick && isRowClick(event)) onRowClick(row);
                      }}
                    >
                      {columns.map((column) => (
                        <td
                          key={column.id}
                          role="cell"
                          data-align={column.align}
                          data-corner={column.actions}
                          data-label={column.actions === true ? undefined : column.header}
                        >
                          <div>{column.cell(row)}</div>
                        </td>
                      ))}
                    </tr>
                    {extra !== null && extra !== undefined && (
                      <tr role="row" className={classes.detail}>
                        <td role="cell" colSpan={columns.length}>
                          {extra}
                        </td>
                      </tr>
                    )}
                  </Fragment>
                );
              })}
        </tbody>
      </table>
      {rows !== undefined && more !== undefined && <Foot count={rows.length} {...more} />}
    </div>
  );
}

interface HeaderCellProps<T> {
  column: Column<T>;
  sort: string | undefined;
  onSort: ((sort: string) => void) | undefined;
}

function HeaderCell<T>({ column, sort, onSort }: HeaderCellProps<T>) {
  const direction = ariaSort(column.sortKey, sort);
  const { sortKey } = column;
  return (
    <th role="columnheader" scope="col" aria-sort={direction} data-align={column.align} style={{ width: column.width }}>
      {sortKey !== undefined && onSort !== undefined ? (
        <UnstyledButton
          className={classes.sort}
          data-active={direction !== undefined}
          onClick={() => {
            onSort(direction === 'ascending' ? `-${sortKey}` : sortKey);
          }}
        >
          {column.header}
          {direction !== undefined && <Icon name={direction === 'ascending' ? 'up' : 'down'} size={12} />}
        </UnstyledButton>
      ) : column.actions === true ? (
        <span className="visually-hidden">{column.header}</span>
      ) : (
        column.header
      )}
    </th>
  );
}

function SkeletonRow<T>({ columns }: { columns: Column<T>[] }) {
  return (
    <tr role="row">
      {columns.map((column) => (
        <td key={column.id} role="cell">
          <Skeleton height={12} my={4} width={column.actions === true ? 18 : '70%'} radius="xs" />
        </td>
      ))}
    </tr>
  );
}

interface FootProps {
  count: number;
  hasMore: boolean;
  loading: boolean;
  onMore: () => void;
  noun: [one: string, many: string];
}

function Foot({ count, hasMore, loading, onMore, noun }: FootProps) {
  return (
    <div className={classes.foot}>
      <span role="status">
        {count} {count === 1 ? noun[0] : noun[1]}
        {hasMore ? ' shown so far' : ''}
      </span>
      {hasMore && (
        <Button variant="default" onClick={onMore} loading={loading}>
          Load more
        </Button>
      )}
    </div>
  );
}
