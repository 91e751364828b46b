import { Link } from "@tanstack/react-router";

/** The first of some labs, each a way to its page, and how many more there are; `none` where there is none. */
export function LabLinks({ labs, most, none }: { labs: string[]; most: number; none: string }) {
  if (labs.length === 0) return <span className="text-dim">{none}</span>;
  return (
    <>
      {labs.slice(0, most).map((lab, index) => (
        <span key={lab}>
          {index > 0 && ", "}
          <Link to="/labs/$lab" params={{ lab }} className="hover:underline">
            {lab}
          </Link>
        </span>
      ))}
      {labs.length > most && <span className="text-dim"> +{labs.length - most}</span>}
    </>
  );
}
