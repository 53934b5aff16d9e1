import { Anchor, Button, type AnchorProps, type ButtonProps } from '@mantine/core';
import { createLink } from '@tanstack/react-router';
import type { AnchorHTMLAttributes, Ref } from 'react';

type ButtonAnchorProps = ButtonProps & Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof ButtonProps> & { ref?: Ref<HTMLAnchorElement> };

function AnchorButton(props: ButtonAnchorProps) {
  return <Button component="a" {...props} />;
}

/** A link that looks like a button, with typed search parameters. */
export const ButtonLink = createLink(AnchorButton);

type PlainProps = AnchorProps & Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof AnchorProps> & { ref?: Ref<HTMLAnchorElement> };

function PlainAnchor(props: PlainProps) {
  return <Anchor size="sm" {...props} />;
}

/** A link in this application's colours. */
export const AnchorLink = createLink(PlainAnchor);
