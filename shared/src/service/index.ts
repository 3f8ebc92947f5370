export { serviceUser, setUpOf, systemdUnit, thisProgram } from './unit.js';
