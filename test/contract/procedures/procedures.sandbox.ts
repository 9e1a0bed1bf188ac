import { testProcedures } from './procedures.ts';

testProcedures('process');
testProcedures('runc');
