import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { ipc } from "../../ipc";
import { lockQuery } from "../../lib/queries";

const signs = ["keydown", "pointermove", "pointerdown", "wheel"] as const;

/** Locks the application when nobody has touched a key or the pointer for as long as the settings say. */
export function useIdleLock() {
  const lock = useQuery(lockQuery);
  const minutes = lock.data?.set && !lock.data.locked ? lock.data.idle_minutes : null;
  useEffect(() => {
    if (minutes === null) return;
    let last = Date.now();
    // Also asked at a touch, before it counts: one who wakes the computer up has been away. What fails is tried at the next look.
    const isOver = () => {
      const over = Date.now() - last >= minutes * 60_000;
      if (over) ipc.lockNow().catch(() => {});
      return over;
    };
    const touched = () => {
      if (!isOver()) last = Date.now();
    };
    const look = setInterval(isOver, 5_000);
    for (const sign of signs) window.addEventListener(sign, touched, { capture: true, passive: true });
    return () => {
      clearInterval(look);
      for (const sign of signs) window.removeEventListener(sign, touched, { capture: true });
    };
  }, [minutes]);
}
