// The only hand-written file that imports @tauri-apps: what the shell can do, and its errors in one shape.

import { Channel } from "@tauri-apps/api/core";
import { type CommandError, commands, events, type Resource, type RunEvent, type RunId } from "./bindings";

export { commands as ipc };

/** What a failed command says. Refusals of the framework itself arrive as bare strings. */
export function commandError(error: unknown): CommandError {
  if (typeof error === "object" && error !== null && "code" in error && "message" in error) return error as CommandError;
  return { code: "failed", message: error instanceof Error ? error.message : String(error), hint: null, details: [] };
}

/** Calls back with each resource that went stale; answers how to end that. */
export function onStale(callback: (resource: Resource) => void): () => void {
  return ending(events.stale.listen((event) => callback(event.payload)));
}

/** Calls back when the user closes the window while runs are at work. */
export function onCloseAsked(callback: (labs: string[]) => void): () => void {
  return ending(events.closeAsked.listen((event) => callback(event.payload)));
}

function ending(listening: Promise<() => void>): () => void {
  return () => void listening.then((end) => end());
}

/** Follows a run from its beginning; `onEnd` gets null when it is over, or why it could not be followed. */
export function followRun(run: RunId, onEvents: (events: RunEvent[]) => void, onEnd: (error: CommandError | null) => void): () => void {
  let over = false;
  const channel = new Channel<RunEvent[]>();
  channel.onmessage = (batch) => {
    if (!over) onEvents(batch);
  };
  commands.followRun(run, 1, channel).then(
    () => over || onEnd(null),
    (error: unknown) => over || onEnd(commandError(error)),
  );
  return () => {
    over = true;
    void commands.unfollowRun(run);
  };
}

/** Builds an image; `onStep` hears what is done now. */
export function buildImage(recipe: string, onStep: (step: string) => void) {
  const channel = new Channel<string>();
  channel.onmessage = onStep;
  return commands.buildImage(recipe, channel);
}
