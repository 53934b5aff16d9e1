import { Modal } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { setStepUpProver } from '@/api/stepUp';
import { meQuery } from '@/api/session';
import { StepUpForm } from './StepUpForm';

interface Question {
  methods: readonly string[];
  answer: (proven: boolean) => void;
}

/** The one place that asks again who somebody is, for any request that was refused for want of it. */
export function StepUpDialog() {
  const client = useQueryClient();
  const [question, setQuestion] = useState<Question | null>(null);
  // Its words stay while the dialog fades out.
  const [last, setLast] = useState<Question | null>(null);
  if (question !== null && question !== last) setLast(question);

  useEffect(() => {
    setStepUpProver(
      (methods) =>
        new Promise((resolve) => {
          setQuestion({
            methods,
            answer: (proven) => {
              setQuestion(null);
              resolve(proven);
            },
          });
        }),
    );
    return () => {
      setStepUpProver(null);
    };
  }, []);

  const cancel = (): void => {
    question?.answer(false);
  };
  return (
    <Modal.Root opened={question !== null} onClose={cancel} centered size={420} zIndex={400} closeOnClickOutside={false}>
      <Modal.Overlay backgroundOpacity={0.45} />
      <Modal.Content radius="md">
        <Modal.Header role="presentation">
          <Modal.Title fw={600}>Confirm that it is you</Modal.Title>
          <Modal.CloseButton aria-label="Close dialog" />
        </Modal.Header>
        <Modal.Body>
          {last !== null && (
            <StepUpForm
              methods={last.methods}
              username={client.getQueryData(meQuery.queryKey)?.username ?? ''}
              onProven={() => {
                last.answer(true);
              }}
              onCancel={cancel}
            />
          )}
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
