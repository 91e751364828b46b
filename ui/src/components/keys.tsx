/** Keys as they are engraved. */
export function Keys({ keys }: { keys: string }) {
  return (
    <span className="inline-flex items-center gap-1 text-small text-dim">
      {keys.split(" ").map((part, index) => (
        <kbd key={index} className="rounded-[4px] border border-line bg-window px-1 font-sans leading-4">
          {part.length === 1 ? part.toUpperCase() : part}
        </kbd>
      ))}
    </span>
  );
}
