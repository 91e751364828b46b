// What only a person can say while a connection is made: host keys, passwords, passphrases.

import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Question } from "../bindings";
import { Button } from "../components/button";
import { Dialog } from "../components/dialog";
import { Field } from "../components/field";
import { ipc, onQuestion } from "../ipc";

export function Questions() {
  const [questions, setQuestions] = useState<Question[]>([]);
  useEffect(() => {
    const over = (id: number) => setQuestions((all) => all.filter((question) => question.id !== id));
    return onQuestion((question) => setQuestions((all) => [...all.filter(({ id }) => id !== question.id), question]), over);
  }, []);
  const first = questions[0];
  if (!first) return null;
  const answer = (answers: string[] | null) => {
    setQuestions((all) => all.filter(({ id }) => id !== first.id));
    void ipc.answerQuestion(first.id, answers);
  };
  return <Ask key={first.id} question={first} onAnswer={answer} />;
}

function Ask({ question, onAnswer }: { question: Question; onAnswer: (answers: string[] | null) => void }) {
  const { t } = useTranslation();
  const { kind, host, text, key_type, again } = question;
  const prompts =
    kind === "interactive"
      ? question.prompts
      : kind === "host_key"
        ? []
        : [{ text: kind === "password" ? t(($) => $.question.password) : t(($) => $.question.passphrase), echo: false }];
  const [answers, setAnswers] = useState(() => prompts.map(() => ""));
  const title = {
    host_key: () => t(($) => $.question.hostKeyTitle, { host }),
    passphrase: () => t(($) => $.question.passphraseTitle),
    password: () => t(($) => $.question.passwordTitle, { host }),
    interactive: () => t(($) => $.question.interactiveTitle, { host }),
  }[kind]();
  return (
    <Dialog
      title={title}
      onClose={() => onAnswer(null)}
      onSubmit={() => onAnswer(answers)}
      actions={
        <>
          <Button onClick={() => onAnswer(null)} autoFocus={kind === "host_key"}>
            {kind === "host_key" ? t(($) => $.question.decline) : t(($) => $.cancel)}
          </Button>
          <Button kind="primary" type="submit">
            {kind === "host_key" ? t(($) => $.question.accept) : t(($) => $.question.answer)}
          </Button>
        </>
      }
    >
      {kind === "host_key" && <p>{t(($) => $.question.hostKey, { type: key_type ?? "" })}</p>}
      {text && <p className="selectable font-mono whitespace-pre-wrap wrap-anywhere">{text}</p>}
      {again && <p className="text-attention">{t(($) => $.question.again)}</p>}
      {prompts.map((prompt, index) => (
        <Field
          key={index}
          id={`answer-${index}`}
          label={prompt.text}
          type={prompt.echo ? "text" : "password"}
          autoFocus={index === 0}
          value={answers[index] ?? ""}
          onChange={(event) => setAnswers(answers.map((old, at) => (at === index ? event.target.value : old)))}
        />
      ))}
    </Dialog>
  );
}
