/** What a lab is: machines on networks. */
export function LabPicture() {
  return (
    <svg width="220" height="96" viewBox="0 0 220 96" fill="none" aria-hidden="true" className="mb-2">
      <g stroke="var(--line-strong)" strokeWidth="1.5">
        <path d="M20 48H200M54 48V34M110 48V62M166 48V34" />
        <rect x="30" y="8" width="48" height="26" rx="5" fill="var(--panel)" />
        <rect x="142" y="8" width="48" height="26" rx="5" fill="var(--panel)" />
        <rect x="86" y="62" width="48" height="26" rx="5" fill="var(--panel)" />
      </g>
      <circle cx="40" cy="21" r="3.5" fill="var(--state-running)" />
      <circle cx="96" cy="75" r="3.5" fill="var(--state-running)" />
      <circle cx="152" cy="21" r="3" stroke="var(--state-unknown)" strokeWidth="1.5" />
      <g stroke="var(--line-strong)" strokeWidth="2" strokeLinecap="round">
        <path d="M50 21H68M106 75H124M162 21H180" />
      </g>
    </svg>
  );
}
