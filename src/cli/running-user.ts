/** Who runs the command, for HISTORY: the value of SHORTLIST_WHO, else user and host. */
import { hostname, userInfo } from 'node:os';

/** Set by a scheduler that knows who ordered the job: `SHORTLIST_WHO=nightly-build`. */
const VARIABLE = 'SHORTLIST_WHO';

export function runningUser(env: NodeJS.ProcessEnv = process.env): string {
  const named = env[VARIABLE]?.trim();
  if (named) return named.replace(/\p{Cc}/gu, ' ');
  return `${env['SUDO_USER'] ?? userName()}@${hostname()}`;
}

/** In containers the user often has a number and no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
