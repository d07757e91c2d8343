// Who a server is that root has started, and what has to be theirs.
import { chownSync, readFileSync } from 'node:fs';

/** Started as root, a server of the tests becomes this user; else it stays who it is. */
export const serverBecomes = process.getuid?.() === 0 ? 'nobody' : '';

/** Gives files and directories to the user that servers run as, who reads them again later. @param {string[]} paths */
export function giveToServer(...paths) {
  if (!serverBecomes) return;
  const users = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':'));
  const [, , uid, gid] = users.find(([name]) => name === serverBecomes) ?? [];
  for (const one of paths) chownSync(one, Number(uid), Number(gid));
}
