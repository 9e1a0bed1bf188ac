import { testContract } from './contract.ts';

testContract('docker');
