/** Who runs the command, for HISTORY: what the environment says, else the user and the host. */
import { hostname, userInfo } from 'node:os';

/** A scheduler knows better than the machine who wants a job done: `SHORTLIST_WHO=nightly-build`. */
const VARIABLE = 'SHORTLIST_WHO';

export function runningUser(env: NodeJS.ProcessEnv = process.env): string {
  const named = env[VARIABLE]?.trim();
  if (named) return named.replace(/\p{Cc}/gu, ' ');
  return `${env['SUDO_USER'] ?? userName()}@${hostname()}`;
}

/** In a container the user often has a number and no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
