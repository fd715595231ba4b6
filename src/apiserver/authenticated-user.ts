import type { UserInfo } from "#apiserver/request.ts";

const group = "system:authenticated";

/** The user as one who has shown who they are: with `system:authenticated` among the groups. */
export function authenticatedUser(user: UserInfo): UserInfo {
  return user.groups.includes(group) ? user : { ...user, groups: [...user.groups, group] };
}
