// In place of @100mslive/hms-whiteboard (and the 29 MB editor behind it): the server has no whiteboard, so there is never
// one to show.
export function Whiteboard() {
  return null;
}
